-- When API keys were last used. Process state: written by whoever serves HTTP, at most once a minute a key and process.
CREATE SCHEMA access;

CREATE TABLE access.key_use (
    prefix       text        PRIMARY KEY,
    last_used_at timestamptz NOT NULL
);
