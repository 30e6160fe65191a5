-- The last redrive of each execution that was redriven.
CREATE TABLE redrives (
    execution  INTEGER PRIMARY KEY,
    count      INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    token      TEXT
) STRICT;
