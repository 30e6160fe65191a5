;; A path that leads out of the granted one.
;;! ends succeeds "error 15"
;;! log denied: 
;;! guest asks
;;! input "GET|http|api.example.com|/v1/../admin|||"
;;! grants GET http://api.example.com/v1/*
