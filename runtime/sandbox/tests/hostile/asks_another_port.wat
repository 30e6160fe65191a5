;; The granted host on another port.
;;! ends succeeds "error 15"
;;! log denied: 
;;! guest asks
;;! input "GET|http|api.example.com:22|/|||"
;;! grants GET http://api.example.com/v1/*
