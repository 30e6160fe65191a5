;; A whole response, and a trap.
;;! ends Sandbox.Trapped
;;! guest serves
;;! input {"path": "/x"}
