from infra_tests.azure_services import azure_clients, service_certificates, services

__all__ = ["azure_clients", "service_certificates", "services"]
