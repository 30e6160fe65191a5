;; A name that begins with the granted one.
;;! ends succeeds "error 15"
;;! log denied: 
;;! guest asks
;;! input "GET|http|api.example.com.evil.example|/|||"
;;! grants GET http://api.example.com/v1/*
