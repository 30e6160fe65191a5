-- Activities: names that workers poll for tasks. Few rows, seldom written.
CREATE TABLE activities (
    id       INTEGER PRIMARY KEY,
    name     TEXT NOT NULL UNIQUE,
    created  INTEGER NOT NULL
) STRICT;

-- What must not be guessed and must outlive the process: the key that signs task tokens.
CREATE TABLE secrets (
    name   TEXT PRIMARY KEY,
    value  BLOB NOT NULL
) STRICT, WITHOUT ROWID;
