;; The granted host over another scheme.
;;! ends succeeds "error 15"
;;! log denied: 
;;! guest asks
;;! input "GET|https|api.example.com|/|||"
;;! grants GET http://api.example.com/v1/*
