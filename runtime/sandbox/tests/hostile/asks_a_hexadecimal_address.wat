;; An address in hexadecimal: 127.0.0.1.
;;! ends succeeds "error 15"
;;! log denied: 
;;! guest asks
;;! input "GET|http|0x7f000001|/|||"
;;! grants GET http://api.example.com/v1/*
