;; The same, percent-encoded.
;;! ends succeeds "error 15"
;;! log denied: 
;;! guest asks
;;! input "GET|http|api.example.com|/v1/%2e%2E/admin|||"
;;! grants GET http://api.example.com/v1/*
