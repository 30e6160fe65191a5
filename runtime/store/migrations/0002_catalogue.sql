-- State machines and modules: few rows, seldom written, so no index but those that keep a promise.

-- machine_type: 0 standard, 1 express. `configuration` is a JSON object, `modules` a JSON array of names.
-- Deleted machines stay: their executions' histories are readable, and ids are never given out twice.
CREATE TABLE machines (
    id             INTEGER PRIMARY KEY,
    name           TEXT NOT NULL,
    machine_type   INTEGER NOT NULL,
    definition     INTEGER NOT NULL REFERENCES definitions (id),
    revision       TEXT NOT NULL,
    role           TEXT NOT NULL,
    created        INTEGER NOT NULL,
    updated        INTEGER NOT NULL,
    configuration  TEXT NOT NULL,
    modules        TEXT NOT NULL,
    deleted        INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Serves `create_machine`: a name is unique among machines that aren't deleted, and free again afterwards.
CREATE UNIQUE INDEX machines_by_name ON machines (name) WHERE deleted = 0;

-- Serves `machines_named`, which every call that names a machine or an execution by ARN begins with.
CREATE INDEX machines_ever_named ON machines (name);

-- The last version each module name ever had: numbers are not used again after the module was deleted.
CREATE TABLE module_names (
    name          TEXT PRIMARY KEY,
    last_version  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- `description` is a JSON object. The component is the file components/<hex digits of digest>.
CREATE TABLE modules (
    name         TEXT NOT NULL,
    version      INTEGER NOT NULL,
    digest       TEXT NOT NULL,
    size         INTEGER NOT NULL,
    created      INTEGER NOT NULL,
    description  TEXT NOT NULL,
    -- Serves `modules` in its order, and finds the newest version on upload.
    PRIMARY KEY (name, version)
) STRICT, WITHOUT ROWID;
