-- Child executions of Map Runs. They have no names of their own (theirs lead back to `id`) and are on no machine's
-- lists, so a run of a million items costs neither of those indexes anything.
--
-- `parent` and `parent_position` name the run: the parent execution and the position of its MapRunStarted event. `item`
-- is the number of the child's first item, `items` how many it has. All NULL for what somebody started.
ALTER TABLE executions ADD COLUMN parent INTEGER;
ALTER TABLE executions ADD COLUMN parent_position INTEGER;
ALTER TABLE executions ADD COLUMN item INTEGER;
ALTER TABLE executions ADD COLUMN items INTEGER;

-- As before, without the children.
DROP INDEX executions_by_name;
CREATE UNIQUE INDEX executions_by_name ON executions (machine, name) WHERE parent IS NULL;
DROP INDEX executions_by_status;
CREATE INDEX executions_by_status ON executions (machine, status) WHERE parent IS NULL;

-- Serves `map_run`, which counts without looking at a row, `children` and `closed_children`. Ids rise with items.
CREATE INDEX executions_by_map_run ON executions (parent, parent_position, status, id, items) WHERE parent IS NOT NULL;
