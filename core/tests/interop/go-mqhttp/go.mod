module github.com/tminus-mq/tminus/core/tests/interop/go-mqhttp

go 1.24

require (
	github.com/aliyunmq/mq-http-go-sdk v1.0.3
	github.com/gogap/errors v0.0.0-20210818113853-edfbba0ddea9
)

require (
	github.com/andybalholm/brotli v1.0.4 // indirect
	github.com/facebookgo/stack v0.0.0-20160209184415-751773369052 // indirect
	github.com/gogap/stack v0.0.0-20150131034635-fef68dddd4f8 // indirect
	github.com/klauspost/compress v1.15.0 // indirect
	github.com/valyala/bytebufferpool v1.0.0 // indirect
	github.com/valyala/fasthttp v1.40.0 // indirect
)
