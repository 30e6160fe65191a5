-- Versions of state machines, aliases that point to them, tags, and through what executions were started.

-- The last number a version of the machine ever had: numbers are not used again after a version was deleted.
ALTER TABLE machines ADD COLUMN last_version INTEGER NOT NULL DEFAULT 0;

-- A revision of a machine, frozen. The columns are those of `machines`. Deleted with their machine.
CREATE TABLE versions (
    machine        INTEGER NOT NULL REFERENCES machines (id),
    number         INTEGER NOT NULL,
    description    TEXT,
    created        INTEGER NOT NULL,
    revision       TEXT NOT NULL,
    definition     INTEGER NOT NULL REFERENCES definitions (id),
    role           TEXT NOT NULL,
    configuration  TEXT NOT NULL,
    modules        TEXT NOT NULL,
    -- Serves `versions` in its order.
    PRIMARY KEY (machine, number)
) STRICT, WITHOUT ROWID;

-- `routes` is a JSON array of objects with `version` and `weight`. `id` is the order of creation.
CREATE TABLE aliases (
    id           INTEGER PRIMARY KEY,
    machine      INTEGER NOT NULL REFERENCES machines (id),
    name         TEXT NOT NULL,
    description  TEXT,
    routes       TEXT NOT NULL,
    created      INTEGER NOT NULL,
    updated      INTEGER NOT NULL,
    -- Serves `put_alias`, which creates an alias or changes it.
    UNIQUE (machine, name)
) STRICT;

-- `tagged` is `machine:<id>` or `activity:<name>`. `id` is the order they were set in.
CREATE TABLE tags (
    id      INTEGER PRIMARY KEY,
    tagged  TEXT NOT NULL,
    key     TEXT NOT NULL,
    value   TEXT NOT NULL,
    -- Serves `tags`.
    UNIQUE (tagged, key)
) STRICT;

-- Tags given at creation used to be kept with the machine's configuration and were never shown.
INSERT OR IGNORE INTO tags (tagged, key, value)
    SELECT 'machine:' || machines.id, tag.value ->> 'key', coalesce(tag.value ->> 'value', '')
    FROM machines, json_each(machines.configuration, '$.tags') AS tag
    WHERE machines.deleted = 0 AND tag.value ->> 'key' IS NOT NULL
    ORDER BY machines.id, tag.id;
UPDATE machines SET configuration = json_remove(configuration, '$.tags')
    WHERE json_type(configuration, '$.tags') IS NOT NULL;

-- Both NULL for an execution started through its machine alone, which costs such a row two bytes and no index.
ALTER TABLE executions ADD COLUMN version INTEGER;
ALTER TABLE executions ADD COLUMN alias TEXT;

-- Serve `executions` of a version or an alias, as `executions_by_status` serves those of a machine.
CREATE INDEX executions_by_version ON executions (machine, version, status) WHERE version IS NOT NULL;
CREATE INDEX executions_by_alias ON executions (machine, alias, status) WHERE alias IS NOT NULL;
