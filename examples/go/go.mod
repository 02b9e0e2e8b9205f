module github.com/tminus-mq/tminus/examples/go

go 1.24

require (
	github.com/gogap/errors v0.0.0-20210818113853-edfbba0ddea9
	github.com/tminus-mq/tminus/go v0.0.0
)

require github.com/gogap/stack v0.0.0-20150131034635-fef68dddd4f8 // indirect

replace github.com/tminus-mq/tminus/go => ../../go
