import { mount } from 'svelte'
import '../../../shared/tokens.css'
import '../bench.css'
import View from './View.svelte'

mount(View, { target: document.getElementById('app')! })
