;; The same, for servers that take a backslash for a slash.
;;! ends succeeds "error 15"
;;! log denied: 
;;! guest asks
;;! input "GET|http|api.example.com|/v1/..%5cadmin|||"
;;! grants GET http://api.example.com/v1/*
