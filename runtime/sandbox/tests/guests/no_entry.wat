;; A library for its own host: exports nothing a workflow could call.
(module
  (memory (export "memory") 1)
  (func (export "plugin_main"))
)
