-- Map Runs that are redriven: which redrive of its run each child was started by, or was last part of. NULL before the
-- first, and for what isn't a child.
ALTER TABLE executions ADD COLUMN round INTEGER;
