;; An address of the old kind within one of the new.
;;! ends succeeds "error 15"
;;! log denied: 
;;! guest asks
;;! input "GET|http|[::ffff:127.0.0.1]|/|||"
;;! grants GET http://api.example.com/v1/*
