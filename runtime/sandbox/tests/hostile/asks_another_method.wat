;; The granted path with another method.
;;! ends succeeds "error 15"
;;! log denied: 
;;! guest asks
;;! input "DELETE|http|api.example.com|/|||"
;;! grants GET http://api.example.com/v1/*
