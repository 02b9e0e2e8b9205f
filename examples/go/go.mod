module github.com/tminus-mq/tminus/examples/go

go 1.24

require github.com/tminus-mq/tminus/go v0.0.0

replace github.com/tminus-mq/tminus/go => ../../go
