;; Takes a request and waits for 292 years.
;;! ends Timeout Deadline
;;! deadline 100
;;! guest serves
;;! input {"path": "/w"}
