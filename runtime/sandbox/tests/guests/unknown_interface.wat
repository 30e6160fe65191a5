;; A component with imports that no task is given, and one that asks nothing of the host.
(component
  (import "wasi:keyvalue/store@0.2.0" (instance (export "open" (func))))
  (import "shop:stock/ledger@1.0.0" (instance (export "count" (func (result u32)))))
  (import "shop:stock/types@1.0.0" (instance (type $amount u32) (export "amount" (type (eq $amount)))))
)
