;; Begins a body and never ends it.
;;! ends succeeds {"status":200,"headers":{},"body":"said"}
;;! guest serves
;;! input {"path": "/u"}
