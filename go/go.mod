module github.com/tminus-mq/tminus/go

go 1.24
