import { QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { queries } from './api.js';
import { App } from './app.js';
import { takeSignInLink } from './sign-in-link.js';
import { findWallets } from './wallets.js';
import './style.css';

findWallets();
takeSignInLink();
createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <App />
    </QueryClientProvider>
  </StrictMode>,
);
