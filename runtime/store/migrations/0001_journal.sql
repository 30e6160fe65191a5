-- Executions and their journals.
--
-- Every statement the writer makes costs each start of an execution, so there are no foreign keys here (the engine
-- names only machines and definitions that exist) and no index without a query that needs it.

-- Content addresses of definitions. Executions name them by number: a digest in each of a million rows is 70 MB.
CREATE TABLE definitions (
    id      INTEGER PRIMARY KEY,
    digest  TEXT NOT NULL UNIQUE
) STRICT;

-- What lists show. `id` is the engine's, given out in rising order, so that rows are appended.
-- status: 0 running, 1 succeeded, 2 failed, 3 aborted, 4 timed out. Times are milliseconds since the epoch.
CREATE TABLE executions (
    id          INTEGER PRIMARY KEY,
    machine     INTEGER NOT NULL,
    name        TEXT NOT NULL,
    definition  INTEGER NOT NULL,
    status      INTEGER NOT NULL,
    started     INTEGER NOT NULL,
    stopped     INTEGER,
    wake_at     INTEGER
) STRICT;

-- Serves `execution_by_name`, and finds the taken name when an execution starts.
CREATE UNIQUE INDEX executions_by_name ON executions (machine, name);

-- Serves `executions` of a machine, newest first: with a status by one range, without one by merging the five.
CREATE INDEX executions_by_status ON executions (machine, status);

-- One row for the events of one commit and execution. Append-only: `id` rises with every row, so an execution's
-- rows are in the order of their positions. `count` events from `position` on are in `events` (see encoding.rs);
-- the numbers come first so that they can be read without the pages `events` overflows into.
CREATE TABLE journal (
    id         INTEGER PRIMARY KEY,
    execution  INTEGER NOT NULL,
    position   INTEGER NOT NULL,
    count      INTEGER NOT NULL,
    events     BLOB NOT NULL
) STRICT;

-- Serves `journal`, and the writer's question how many events a journal holds.
CREATE INDEX journal_by_execution ON journal (execution);

-- Ids are never given out twice, even where somebody deletes old executions. Costs nothing until then.
CREATE TABLE deleted_executions (
    highest  INTEGER NOT NULL
) STRICT;
INSERT INTO deleted_executions VALUES (0);
CREATE TRIGGER remember_deleted_executions AFTER DELETE ON executions BEGIN
    UPDATE deleted_executions SET highest = max(highest, old.id);
END;
