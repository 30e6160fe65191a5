-- Executions whose rows were deleted and whose journals and children are still going, a few rows at a time: a run of a
-- million children is gone for everybody at once, and for the disk bit by bit.
CREATE TABLE forgotten (
    execution  INTEGER PRIMARY KEY
) STRICT;
