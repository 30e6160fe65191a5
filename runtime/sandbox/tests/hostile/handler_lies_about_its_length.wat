;; Promises nine bytes and writes four.
;;! ends Sandbox.NoResponse
;;! guest serves
;;! input {"path": "/c"}
