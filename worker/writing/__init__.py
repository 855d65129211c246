"""Writing at logistic.cloud: create, update and approve deliveries, each as a durable intent, none of them twice."""
