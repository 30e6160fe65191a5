;; Returns without a response, and lets go of what it should have put one into.
;;! ends Sandbox.NoResponse
;;! cause returned without a response
;;! guest serves
;;! input {"path": "/d"}
