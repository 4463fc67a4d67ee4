"""The checks by family, one module each; `service.domain.quality.catalogue` puts them in order."""
