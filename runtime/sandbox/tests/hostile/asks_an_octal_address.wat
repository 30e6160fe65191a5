;; An address in octal: 127.0.0.1.
;;! ends succeeds "error 15"
;;! log denied: 
;;! guest asks
;;! input "GET|http|0177.0.0.1|/|||"
;;! grants GET http://api.example.com/v1/*
