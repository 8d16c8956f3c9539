-- Who may do what: organizations, their environments, users and API keys. Names and e-mails are private text, joined by
-- reference when read. When a key was last used is process state and lives elsewhere.
CREATE TABLE organization (
    id         uuid        PRIMARY KEY,
    name       text        NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE TABLE environment (
    id              integer     PRIMARY KEY,
    organization_id uuid        NOT NULL,
    name            text        NOT NULL,
    timezone        text        NOT NULL,
    project_token   text        NOT NULL UNIQUE,
    created_at      timestamptz NOT NULL,
    -- Null for the installation's default.
    retention_days  integer,
    -- What recording filters refer to: property filters, and actions with their steps.
    test_accounts   jsonb       NOT NULL DEFAULT '[]',
    actions         jsonb       NOT NULL DEFAULT '[]'
);
CREATE INDEX environment_organization ON environment (organization_id, id);
CREATE TABLE member (
    id              integer     PRIMARY KEY,
    uuid            uuid        NOT NULL UNIQUE,
    organization_id uuid        NOT NULL,
    profile_id      uuid        NOT NULL,
    created_at      timestamptz NOT NULL
);
CREATE INDEX member_organization ON member (organization_id, id);
CREATE TABLE api_key (
    id              uuid        PRIMARY KEY,
    organization_id uuid        NOT NULL,
    user_id         integer     NOT NULL,
    label           text        NOT NULL,
    prefix          text        NOT NULL,
    key_hash        text        NOT NULL UNIQUE,
    scopes          text[]      NOT NULL,
    environment_ids integer[]   NOT NULL,
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz,
    revoked_at      timestamptz
);
CREATE INDEX api_key_user ON api_key (user_id);
