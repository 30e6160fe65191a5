;; An empty segment before the granted path.
;;! ends succeeds "error 15"
;;! log denied: 
;;! guest asks
;;! input "GET|http|api.example.com|//v1/a|||"
;;! grants GET http://api.example.com/v1/*
