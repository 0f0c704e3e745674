# A real Kafka broker for development: see deploy/kafka/broker.

.PHONY: kafka kafka-stop kafka-wipe
kafka: ## fetches Apache Kafka (once) and starts one broker on 127.0.0.1:29092
	$(Q)deploy/install-dependencies kafka || :
	$(Q)deploy/kafka/broker start
kafka-stop: ## stops it; its data stays
	$(Q)deploy/kafka/broker stop
kafka-wipe: ## stops it and removes its data
	$(Q)deploy/kafka/broker wipe
