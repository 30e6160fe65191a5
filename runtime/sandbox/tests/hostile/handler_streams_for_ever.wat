;; A response without an end.
;;! ends Sandbox.OutputTooLarge
;;! guest serves
;;! input {"path": "/o"}
