-- Labels of modules: names that are moved from version to version. They go with the version they point at.
CREATE TABLE module_labels (
    module   TEXT NOT NULL,
    label    TEXT NOT NULL,
    version  INTEGER NOT NULL,
    created  INTEGER NOT NULL,
    moved    INTEGER NOT NULL,
    -- Serves `labels` in its order.
    PRIMARY KEY (module, label)
) STRICT, WITHOUT ROWID;
