;; The granted host as a user's name.
;;! ends succeeds "error 19"
;;! log denied: 
;;! guest asks
;;! input "GET|http|api.example.com@127.0.0.1|/|||"
;;! grants GET http://api.example.com/v1/*
