-- Calls of models, for metrics: a row for each kind of call and bucket of time (consumers/scanning/model_calls.py). The
-- labels are bounded: models are those of the catalogue or `other`.

CREATE TABLE scanning.model_call (
    provider      text             NOT NULL,
    model         text             NOT NULL,
    scanner_type  text             NOT NULL,
    outcome       text             NOT NULL,
    -- The bucket's upper bound in seconds, infinity for the last one.
    at_most       double precision NOT NULL,
    calls         bigint           NOT NULL,
    requests      bigint           NOT NULL,
    input_tokens  bigint           NOT NULL,
    output_tokens bigint           NOT NULL,
    cost_usd      numeric          NOT NULL,
    seconds       double precision NOT NULL,
    PRIMARY KEY (provider, model, scanner_type, outcome, at_most)
);
