from infra_tests.azure_services import azure_clients, services

__all__ = ["azure_clients", "services"]
