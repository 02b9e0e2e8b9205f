module github.com/tminus-mq/tminus/go

go 1.24

require github.com/gogap/errors v0.0.0-20210818113853-edfbba0ddea9

require (
	github.com/facebookgo/stack v0.0.0-20160209184415-751773369052 // indirect
	github.com/gogap/stack v0.0.0-20150131034635-fef68dddd4f8 // indirect
)
