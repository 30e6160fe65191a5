;; The granted name, spelled another way.
;;! ends succeeds "error 15"
;;! log denied: 
;;! guest asks
;;! input "GET|http|api.example.com.|/|||"
;;! grants GET http://api.example.com/v1/*
