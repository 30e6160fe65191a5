;; A whole response, and no return.
;;! ends Timeout Deadline
;;! deadline 100
;;! guest serves
;;! input {"path": "/l"}
