;; The same, percent-encoded twice.
;;! ends succeeds "error 15"
;;! log denied: 
;;! guest asks
;;! input "GET|http|api.example.com|/v1/%252e%252e/admin|||"
;;! grants GET http://api.example.com/v1/*
