;; Answers the same request twice.
;;! ends Sandbox.Trapped
;;! guest serves
;;! input {"path": "/t"}
