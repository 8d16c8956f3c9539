"""The transport over Apache Kafka. kafka-python is used in this package alone, so that another may replace it."""
