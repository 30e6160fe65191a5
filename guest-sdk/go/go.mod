module sandstep

go 1.24
