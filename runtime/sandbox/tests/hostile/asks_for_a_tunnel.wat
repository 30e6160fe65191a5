;; A method that makes a tunnel of a connection.
;;! ends succeeds "error 18"
;;! log denied: 
;;! guest asks
;;! input "CONNECT|http|api.example.com|/v1/a|||"
;;! grants * http://api.example.com/v1/*
