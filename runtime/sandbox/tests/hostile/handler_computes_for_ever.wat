;; Takes a request and computes.
;;! ends Sandbox.FuelExhausted
;;! fuel 10000000
;;! guest serves
;;! input {"path": "/n"}
