-- Values of properties, read without ever failing: what is no number, or no time, is null (projections/queries/matching).
CREATE SCHEMA matching;

-- Digits as JSON and people write them, at most 400 characters and three digits of exponent.
CREATE FUNCTION matching.number(value text) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$
    SELECT CASE WHEN length(value) <= 400
                     AND value ~ '^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$'
                THEN value::numeric END
$$;

-- ISO 8601: a day, or a day and a time, in UTC where no offset is given.
CREATE FUNCTION matching.instant(value text) RETURNS timestamptz
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT AS $$
BEGIN
    IF value !~ ('^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])'
                 '([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])?)?$')
    THEN RETURN NULL; END IF;
    IF length(value) = 10 THEN RETURN (value || ' 00:00Z')::timestamptz; END IF;
    IF value ~ '(Z|[+-][0-9]{2}:[0-9]{2})$' THEN RETURN value::timestamptz; END IF;
    RETURN (value || 'Z')::timestamptz;
EXCEPTION WHEN datetime_field_overflow OR invalid_datetime_format THEN
    RETURN NULL; -- 31 February
END $$;

-- An address without query, fragment and closing slashes.
CREATE FUNCTION matching.path(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$
    SELECT rtrim(split_part(split_part(value, '#', 1), '?', 1), '/')
$$;
