;; An address as one number: 127.0.0.1.
;;! ends succeeds "error 15"
;;! log denied: 
;;! guest asks
;;! input "GET|http|2130706433|/|||"
;;! grants GET http://api.example.com/v1/*
