;; A program, not a task: exports nothing a workflow could call.
(module
  (memory (export "memory") 1)
  (func (export "_start"))
)
